ALTER TABLE `audit_events` ADD `tally` text;--> statement-breakpoint
CREATE UNIQUE INDEX `audit_tally` ON `audit_events` (`tally`) WHERE tally is not null;