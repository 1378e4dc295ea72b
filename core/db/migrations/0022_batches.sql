CREATE TABLE `batches` (
	`request_id` text PRIMARY KEY NOT NULL,
	`id` text,
	`backend` text NOT NULL,
	`user_id` integer NOT NULL,
	`api_key_id` integer NOT NULL,
	`billing_group_id` integer NOT NULL,
	`billing_parents` text NOT NULL,
	`client` text NOT NULL,
	`project` text NOT NULL,
	`requested_model` text NOT NULL,
	`model` text NOT NULL,
	`requests` integer NOT NULL,
	`ids_hash` integer NOT NULL,
	`tokens` integer NOT NULL,
	`micros` integer NOT NULL,
	`day` integer NOT NULL,
	`week` integer NOT NULL,
	`month` integer NOT NULL,
	`created_at` integer NOT NULL,
	`state` text NOT NULL,
	`check_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `batches_id` ON `batches` (`id`);--> statement-breakpoint
CREATE INDEX `batches_due` ON `batches` (`state`,`check_at`);