set local lock_timeout = '2s';

-- What a room is beside its topic. Rooms that nobody has described have no row.
create table realtime.chat_rooms (
  tenant text collate "C" not null,
  topic text collate "C" not null,
  kind text not null check (kind in ('public', 'private', 'direct', 'group')),
  name text not null,
  description text not null default '',
  -- How many seconds a member waits between two messages; 0: none.
  slow_seconds integer not null default 0 check (slow_seconds between 0 and 86400),
  created_by text collate "C" not null,
  created_at timestamptz not null default date_trunc('milliseconds', now()),
  primary key (tenant, topic)
);

-- What follows from here to chat_reactions is made of the rooms' logs, and can be made of them again.

-- How far it is made: everything up to the offset, of one incarnation of the log.
create table realtime.chat_projections (
  tenant text collate "C" not null,
  topic_id bigint primary key,
  epoch text not null,
  "offset" bigint not null default 0
) with (fillfactor = 50);

create table realtime.chat_messages (
  tenant text collate "C" not null,
  topic_id bigint not null,
  -- Of the event that was the message; it is the message's id.
  "offset" bigint not null,
  author text collate "C",
  at timestamptz not null,
  text text not null,
  -- The message that began the thread; null: it is in none.
  thread bigint,
  reply_to bigint,
  mentions text[] not null,
  attachments text[] not null,
  edited_at timestamptz,
  deleted_at timestamptz,
  deleted_by text collate "C",
  pinned_at timestamptz,
  pinned_by text collate "C",
  -- Of the thread that it began.
  replies integer not null,
  last_reply bigint,
  -- With a word that stands for the room, so that the index knows the room too.
  words tsvector not null generated always as (to_tsvector('simple', text) || array_to_tsvector(array['#' || topic_id::text])) stored,
  primary key (topic_id, "offset")
);
create index on realtime.chat_messages (topic_id, "offset") where thread is null;
create index on realtime.chat_messages (topic_id, thread, "offset") where thread is not null;
create index on realtime.chat_messages (topic_id, at, "offset");
create index on realtime.chat_messages (topic_id, pinned_at) where pinned_at is not null;
-- Unread messages are counted in it without the rows themselves.
create index on realtime.chat_messages (topic_id, "offset") include (author) where deleted_at is null;
create index on realtime.chat_messages (topic_id, "offset") include (author, mentions) where deleted_at is null and mentions <> '{}';
create index on realtime.chat_messages using gin (words) with (gin_pending_list_limit = 512);

-- What a message said before an edit.
create table realtime.chat_edits (
  tenant text collate "C" not null,
  topic_id bigint not null,
  "offset" bigint not null,
  edit bigint not null,
  text text not null,
  until timestamptz not null,
  primary key (topic_id, "offset", edit)
);

create table realtime.chat_reactions (
  tenant text collate "C" not null,
  topic_id bigint not null,
  "offset" bigint not null,
  emoji text collate "C" not null,
  user_id text collate "C" not null,
  primary key (topic_id, "offset", emoji, user_id)
);

-- How far each member has come in a room. Never moves back but in a new incarnation of the log.
create table realtime.chat_reads (
  tenant text collate "C" not null,
  topic text collate "C" not null,
  user_id text collate "C" not null,
  epoch text not null,
  read_offset bigint not null default 0,
  delivered_offset bigint not null default 0,
  primary key (tenant, topic, user_id)
) with (fillfactor = 70);

-- Who may not write in a room for a time.
create table realtime.chat_mutes (
  tenant text collate "C" not null,
  topic text collate "C" not null,
  user_id text collate "C" not null,
  until timestamptz not null,
  muted_by text collate "C" not null,
  primary key (tenant, topic, user_id)
);

-- When somebody has last written in a room that is slow, and under which id: a retry is no second message.
create table realtime.chat_turns (
  tenant text collate "C" not null,
  topic text collate "C" not null,
  user_id text collate "C" not null,
  said_at timestamptz not null,
  event_id text,
  primary key (tenant, topic, user_id)
) with (fillfactor = 70);

-- What members have told moderators of.
create table realtime.chat_reports (
  report_id bigint generated always as identity primary key,
  tenant text collate "C" not null,
  topic text collate "C" not null,
  "offset" bigint not null,
  reporter text collate "C" not null,
  reason text not null,
  created_at timestamptz not null default date_trunc('milliseconds', now()),
  resolved_at timestamptz,
  resolved_by text collate "C",
  resolution text,
  unique (tenant, topic, "offset", reporter)
);
create index on realtime.chat_reports (tenant, topic, report_id) where resolved_at is null;

-- Files that were uploaded to rooms. Messages name them; who may read such a message may read the file.
create table realtime.chat_files (
  file_id text collate "C" primary key,
  tenant text collate "C" not null,
  topic text collate "C" not null,
  name text not null,
  -- As the content says.
  type text not null,
  bytes bigint not null,
  -- Of pictures; these have a thumbnail.
  width integer,
  height integer,
  uploaded_by text collate "C" not null,
  created_at timestamptz not null default date_trunc('milliseconds', now())
);
create index on realtime.chat_files (created_at);
create index on realtime.chat_messages using gin (attachments) where attachments <> '{}';

-- Their contents, where the nodes keep them here.
create table realtime.chat_contents (
  tenant text collate "C" not null,
  content_id text collate "C" not null,
  content bytea not null,
  primary key (tenant, content_id)
);
alter table realtime.chat_contents alter column content set storage external;

do $$
declare
  name text;
begin
  foreach name in array array['chat_rooms', 'chat_files', 'chat_contents', 'chat_projections', 'chat_messages', 'chat_edits', 'chat_reactions', 'chat_reads', 'chat_mutes', 'chat_turns', 'chat_reports'] loop
    execute format('alter table realtime.%I enable row level security', name);
    execute format('alter table realtime.%I force row level security', name);
    execute format('create policy upkeep on realtime.%I to %I using (true)', name, current_user);
  end loop;
  foreach name in array array['chat_messages', 'chat_edits', 'chat_reactions'] loop
    execute format('create policy reading on realtime.%I for select to realtime_reader using (tenant = (select realtime.reading_tenant()))', name);
    execute format('grant select on realtime.%I to realtime_reader', name);
  end loop;
end
$$;

-- The nodes keep in memory which rooms are slow and who is muted, and read a room's rules again when they change.
create function realtime.chat_rules_changed() returns trigger language plpgsql as $$
declare
  changed jsonb := to_jsonb(case when tg_op = 'DELETE' then old else new end);
begin
  perform pg_notify('realtime_chat', (changed ->> 'tenant') || '/' || (changed ->> 'topic'));
  return null;
end
$$;
create trigger tell after insert or delete or update of slow_seconds on realtime.chat_rooms for each row execute function realtime.chat_rules_changed();
create trigger tell after insert or delete or update on realtime.chat_mutes for each row execute function realtime.chat_rules_changed();
revoke execute on all functions in schema realtime from public;
