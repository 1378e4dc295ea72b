CREATE TABLE `admin_keys` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`name` text NOT NULL,
	`hash` text NOT NULL,
	`last4` text NOT NULL,
	`scopes` text NOT NULL,
	`created_by` integer,
	`created_at` integer NOT NULL,
	`expires_at` integer,
	`last_used_at` integer,
	`revoked_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `admin_keys_hash_unique` ON `admin_keys` (`hash`);--> statement-breakpoint
CREATE UNIQUE INDEX `admin_keys_name` ON `admin_keys` (`name`) WHERE revoked_at is null;--> statement-breakpoint
CREATE TABLE `identities` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`user_id` integer NOT NULL,
	`issuer` text NOT NULL,
	`subject` text NOT NULL,
	`refresh_token` text,
	`verified_at` integer NOT NULL,
	`failing_since` integer,
	`claimed_until` integer DEFAULT 0 NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `identities_subject` ON `identities` (`issuer`,`subject`);--> statement-breakpoint
CREATE INDEX `identities_user` ON `identities` (`user_id`);--> statement-breakpoint
CREATE INDEX `identities_verified` ON `identities` (`verified_at`);--> statement-breakpoint
CREATE TABLE `invitation_uses` (
	`invitation_id` integer NOT NULL,
	`user_id` integer NOT NULL,
	`used_at` integer NOT NULL,
	PRIMARY KEY(`invitation_id`, `user_id`)
);
--> statement-breakpoint
CREATE INDEX `invitation_uses_user` ON `invitation_uses` (`user_id`);--> statement-breakpoint
CREATE TABLE `invitations` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`hash` text NOT NULL,
	`email` text,
	`name` text,
	`role` text NOT NULL,
	`group_ids` text NOT NULL,
	`limit_micros` integer,
	`limit_period` text,
	`most_uses` integer NOT NULL,
	`uses` integer DEFAULT 0 NOT NULL,
	`created_by` integer,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`revoked_at` integer,
	CONSTRAINT "invitations_uses" CHECK(uses <= most_uses)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `invitations_hash_unique` ON `invitations` (`hash`);--> statement-breakpoint
CREATE INDEX `invitations_email` ON `invitations` (`email`);--> statement-breakpoint
CREATE TABLE `notice_channels` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`kind` text NOT NULL,
	`name` text NOT NULL,
	`target` text NOT NULL,
	`host` text NOT NULL,
	`events` text NOT NULL,
	`language` text NOT NULL,
	`enabled` integer NOT NULL,
	`audit_sent_id` integer,
	`audit_waits_until` integer DEFAULT 0 NOT NULL,
	`audit_failures` integer DEFAULT 0 NOT NULL,
	`failing_since` integer,
	`last_error` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `notice_deliveries` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`notice_id` integer NOT NULL,
	`recipient` text NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`due_at` integer,
	`delivered_at` integer,
	`last_error` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `notice_deliveries_recipient` ON `notice_deliveries` (`notice_id`,`recipient`);--> statement-breakpoint
CREATE INDEX `notice_deliveries_due` ON `notice_deliveries` (`due_at`) WHERE due_at is not null;--> statement-breakpoint
CREATE TABLE `notice_preferences` (
	`user_id` integer NOT NULL,
	`event` text NOT NULL,
	`wanted` integer NOT NULL,
	PRIMARY KEY(`user_id`, `event`)
);
--> statement-breakpoint
CREATE TABLE `notices` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`dedupe_key` text NOT NULL,
	`event` text NOT NULL,
	`data` text NOT NULL,
	`created_at` integer NOT NULL,
	`addressed_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `notices_dedupe_key_unique` ON `notices` (`dedupe_key`);--> statement-breakpoint
CREATE INDEX `notices_waiting` ON `notices` (`id`) WHERE addressed_at is null;--> statement-breakpoint
CREATE TABLE `scim_users` (
	`user_id` integer PRIMARY KEY NOT NULL,
	`user_name` text NOT NULL,
	`user_name_key` text NOT NULL,
	`external_id` text,
	`active` integer NOT NULL,
	`deactivated` integer DEFAULT false NOT NULL,
	`attributes` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `scim_users_user_name_key_unique` ON `scim_users` (`user_name_key`);--> statement-breakpoint
CREATE INDEX `scim_users_external` ON `scim_users` (`external_id`);--> statement-breakpoint
ALTER TABLE `audit_events` ADD `admin_key_id` integer;--> statement-breakpoint
ALTER TABLE `login_codes` ADD `newcomer` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `login_codes` ADD `invitation_id` integer;--> statement-breakpoint
ALTER TABLE `users` ADD `directory_group_id` integer;--> statement-breakpoint
ALTER TABLE `users` ADD `email` text;--> statement-breakpoint
ALTER TABLE `users` ADD `email_unconfirmed` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `users` ADD `paused_at` integer;--> statement-breakpoint
ALTER TABLE `users` ADD `deleted_at` integer;--> statement-breakpoint
CREATE UNIQUE INDEX `users_email` ON `users` (`email`) WHERE deleted_at is null;