CREATE TABLE `backend_health` (
	`key` text PRIMARY KEY NOT NULL,
	`state` text NOT NULL,
	`failures` integer NOT NULL,
	`until` integer NOT NULL,
	`reason` text NOT NULL,
	`revision` integer NOT NULL
);
