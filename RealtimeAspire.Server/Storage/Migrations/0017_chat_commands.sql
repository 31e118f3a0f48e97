set local lock_timeout = '2s';

-- What bots can be told to do in rooms.
create table realtime.chat_commands (
  tenant text collate "C" not null,
  -- Of one room; empty: in all of them.
  topic text collate "C" not null,
  name text collate "C" not null,
  bot text collate "C" not null,
  -- The subject of the service key that has registered it, and speaks for the bot.
  key_id text collate "C" not null,
  description text not null,
  usage text not null,
  created_at timestamptz not null default now(),
  primary key (tenant, topic, name)
);
create index on realtime.chat_commands (tenant, bot);
alter table realtime.chat_commands enable row level security;
alter table realtime.chat_commands force row level security;
do $$
begin
  execute format('create policy upkeep on realtime.chat_commands to %I using (true)', current_user);
end
$$;
