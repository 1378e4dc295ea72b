ALTER TABLE `api_keys` ADD `previous_hash` text;--> statement-breakpoint
ALTER TABLE `api_keys` ADD `previous_prefix` text;--> statement-breakpoint
ALTER TABLE `api_keys` ADD `previous_last4` text;--> statement-breakpoint
ALTER TABLE `api_keys` ADD `previous_ends_at` integer;