-- How far a consumer, a device of a user, has acknowledged a topic.
create table realtime.cursors (
  tenant text collate "C" not null,
  user_id text collate "C" not null,
  consumer text collate "C" not null,
  topic text collate "C" not null,
  epoch text not null,
  "offset" bigint not null,
  updated_at timestamptz not null,
  primary key (tenant, user_id, consumer, topic)
) with (fillfactor = 70);
