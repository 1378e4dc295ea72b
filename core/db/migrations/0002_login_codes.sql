ALTER TABLE `login_codes` ADD `used_at` integer;--> statement-breakpoint
ALTER TABLE `login_codes` ADD `known` integer DEFAULT false NOT NULL;