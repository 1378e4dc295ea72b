CREATE TABLE `upstream_objects` (
	`row_id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`kind` text NOT NULL,
	`id` text NOT NULL,
	`backend` text NOT NULL,
	`user_id` integer NOT NULL,
	`group_id` integer,
	`created_at` integer NOT NULL,
	`expires_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `upstream_objects_id` ON `upstream_objects` (`kind`,`id`);--> statement-breakpoint
CREATE INDEX `upstream_objects_user` ON `upstream_objects` (`user_id`,`row_id`);--> statement-breakpoint
CREATE INDEX `upstream_objects_expires` ON `upstream_objects` (`expires_at`);