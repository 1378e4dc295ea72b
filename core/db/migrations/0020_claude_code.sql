CREATE TABLE `claude_code_days` (
	`day` integer NOT NULL,
	`user_id` integer NOT NULL,
	`api_key_id` integer NOT NULL,
	`kind` text NOT NULL,
	`label` text NOT NULL,
	`amount` integer NOT NULL,
	PRIMARY KEY(`day`, `user_id`, `api_key_id`, `kind`, `label`)
);
--> statement-breakpoint
CREATE TABLE `claude_code_points` (
	`hash` text PRIMARY KEY NOT NULL,
	`batch` text NOT NULL,
	`day` integer NOT NULL,
	`user_id` integer NOT NULL,
	`api_key_id` integer NOT NULL,
	`kind` text NOT NULL,
	`label` text NOT NULL,
	`amount` integer NOT NULL,
	`expires_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `claude_code_points_batch` ON `claude_code_points` (`batch`);--> statement-breakpoint
CREATE INDEX `claude_code_points_expires` ON `claude_code_points` (`expires_at`);