CREATE TABLE `conversation_moves` (
	`user_id` integer NOT NULL,
	`conversation` integer NOT NULL,
	`backend` text NOT NULL,
	`idle_until` integer NOT NULL,
	`written_at` integer NOT NULL,
	PRIMARY KEY(`user_id`, `conversation`)
);
--> statement-breakpoint
CREATE INDEX `conversation_moves_written` ON `conversation_moves` (`written_at`);--> statement-breakpoint
CREATE TABLE `health_records` (
	`key` text PRIMARY KEY NOT NULL,
	`revision` integer NOT NULL,
	`record` text NOT NULL
);
