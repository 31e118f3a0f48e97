set local lock_timeout = '2s';

-- Users who are to be told that a message mentions them: written with the message, removed once they have a notification of it.
create table realtime.chat_mentions (
  tenant text collate "C" not null,
  topic_id bigint not null,
  "offset" bigint not null,
  user_id text collate "C" not null,
  due_at timestamptz not null default now(),
  primary key (topic_id, "offset", user_id)
);
create index on realtime.chat_mentions (due_at);
alter table realtime.chat_mentions enable row level security;
alter table realtime.chat_mentions force row level security;
do $$
begin
  execute format('create policy upkeep on realtime.chat_mentions to %I using (true)', current_user);
end
$$;

-- Of events up to here users were told, or did not need to be: whoever makes a room's messages again tells nobody again.
alter table realtime.chat_projections add column told bigint not null default 0;
update realtime.chat_projections set told = "offset";

-- Who has made somebody a member who is not himself, and from when on that one is to be told of it; null: not any more.
alter table realtime.members add column invited_by text collate "C";
alter table realtime.members add column invitation_due timestamptz;
create index on realtime.members (invitation_due) where invitation_due is not null;
-- That somebody was told changes nothing that nodes keep.
drop trigger tell on realtime.members;
create trigger tell after insert or delete or update of role, joined_offset, joined_at on realtime.members for each row execute function realtime.tell_access('member');
