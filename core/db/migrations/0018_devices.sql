CREATE TABLE `device_grants` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`device_code_hash` text NOT NULL,
	`user_code` text NOT NULL,
	`client` text NOT NULL,
	`ip` text NOT NULL,
	`status` text NOT NULL,
	`user_id` integer,
	`interval_ms` integer NOT NULL,
	`asked_at` integer,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `device_grants_device_code` ON `device_grants` (`device_code_hash`);--> statement-breakpoint
CREATE UNIQUE INDEX `device_grants_user_code` ON `device_grants` (`user_code`);--> statement-breakpoint
CREATE INDEX `device_grants_ip` ON `device_grants` (`ip`,`created_at`);--> statement-breakpoint
CREATE INDEX `device_grants_expires` ON `device_grants` (`expires_at`);--> statement-breakpoint
CREATE TABLE `policies` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`name` text NOT NULL,
	`priority` integer NOT NULL,
	`group_ids` text NOT NULL,
	`domains` text NOT NULL,
	`settings` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`deleted_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `policies_name` ON `policies` (`name`) WHERE deleted_at is null;--> statement-breakpoint
CREATE TABLE `policy_versions` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`policy_id` integer NOT NULL,
	`actor_id` integer,
	`name` text NOT NULL,
	`priority` integer NOT NULL,
	`group_ids` text NOT NULL,
	`domains` text NOT NULL,
	`settings` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `policy_versions_policy` ON `policy_versions` (`policy_id`,`id`);--> statement-breakpoint
CREATE TABLE `refresh_tokens` (
	`hash` text PRIMARY KEY NOT NULL,
	`key_id` integer NOT NULL,
	`ip` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`replaced_at` integer
);
--> statement-breakpoint
CREATE INDEX `refresh_tokens_key` ON `refresh_tokens` (`key_id`);--> statement-breakpoint
CREATE INDEX `refresh_tokens_expires` ON `refresh_tokens` (`expires_at`);--> statement-breakpoint
ALTER TABLE `api_keys` ADD `kind` text DEFAULT 'key' NOT NULL;--> statement-breakpoint
-- The key cache of each process follows policies, because devices obey their lists of models.
CREATE TRIGGER policies_insert_revision AFTER INSERT ON policies BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO group_changes (group_id, revision) VALUES (-1, (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (group_id) DO UPDATE SET revision = excluded.revision; END;--> statement-breakpoint
CREATE TRIGGER policies_update_revision AFTER UPDATE ON policies BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO group_changes (group_id, revision) VALUES (-1, (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (group_id) DO UPDATE SET revision = excluded.revision; END;--> statement-breakpoint
CREATE TRIGGER policies_delete_revision AFTER DELETE ON policies BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO group_changes (group_id, revision) VALUES (-1, (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (group_id) DO UPDATE SET revision = excluded.revision; END;
