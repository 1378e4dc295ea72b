CREATE TABLE `device_settings` (
	`device_id` integer PRIMARY KEY NOT NULL,
	`checksum` text NOT NULL,
	`since` integer NOT NULL
);
