ALTER TABLE `usage_logs` ADD `session` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_logs` ADD `error` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_logs` ADD `upstream_id` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_logs` ADD `story` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_logs` ADD `cache_miss` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_logs` ADD `cache_miss_tokens` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX `usage_logs_session` ON `usage_logs` (`user_id`,`session`,`created_at`,`id`) WHERE session <> '';