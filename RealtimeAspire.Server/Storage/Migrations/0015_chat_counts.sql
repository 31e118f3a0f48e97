set local lock_timeout = '2s';

-- Messages by author, and mentions by whom they mean, for each 512 offsets of a room; user '' has the messages of all. So what is unread is exact however
-- much it is: whole blocks are added up, and only the one in which somebody stopped is counted. Made with the messages, in the same transactions.
create table realtime.chat_counts (
  tenant text collate "C" not null,
  topic_id bigint not null,
  user_id text collate "C" not null,
  block bigint not null,
  messages bigint not null,
  mentions bigint not null,
  primary key (topic_id, user_id, block) include (messages, mentions)
) with (fillfactor = 70);
alter table realtime.chat_counts enable row level security;
alter table realtime.chat_counts force row level security;
do $$
begin
  execute format('create policy upkeep on realtime.chat_counts to %I using (true)', current_user);
end
$$;
create policy reading on realtime.chat_counts for select to realtime_reader using (tenant = (select realtime.reading_tenant()));
grant select on realtime.chat_counts to realtime_reader;

-- What the messages of some offsets come to, from them themselves.
create function realtime.chat_counted(topic bigint, first bigint, last bigint)
returns table (tenant text, topic_id bigint, user_id text, block bigint, messages bigint, mentions bigint) language sql stable as $$
  select c.tenant, c.topic_id, c.user_id, c.block, sum(c.messages)::bigint, sum(c.mentions)::bigint
    from (select m.tenant, m.topic_id, '' as user_id, m."offset" >> 9 as block, 1 as messages, 0 as mentions from realtime.chat_messages m
           where m.topic_id = chat_counted.topic and m."offset" between chat_counted.first and chat_counted.last and m.deleted_at is null
           union all
          select m.tenant, m.topic_id, m.author, m."offset" >> 9, 1, 0 from realtime.chat_messages m
           where m.topic_id = chat_counted.topic and m."offset" between chat_counted.first and chat_counted.last and m.deleted_at is null and m.author is not null
           union all
          select m.tenant, m.topic_id, u.user_id, m."offset" >> 9, 0, 1 from realtime.chat_messages m cross join unnest(m.mentions) u(user_id)
           where m.topic_id = chat_counted.topic and m."offset" between chat_counted.first and chat_counted.last and m.deleted_at is null and m.mentions <> '{}'
             and m.author is distinct from u.user_id) c
   group by c.tenant, c.topic_id, c.user_id, c.block
$$;
insert into realtime.chat_counts (tenant, topic_id, user_id, block, messages, mentions)
select c.* from realtime.chat_projections p cross join lateral realtime.chat_counted(p.topic_id, 0, 9223372036854775807) c;

-- The word that stands for the room now stands for 16,384 offsets of it: a search goes from block to block, the newest first, and ends when it has enough.
-- It asks the index for each, and for each the index looks through what it has not sorted in yet: so that is little.
alter table realtime.chat_messages drop column words;
alter table realtime.chat_messages add column words tsvector not null
  generated always as (to_tsvector('simple', text) || array_to_tsvector(array['#' || topic_id::text || '/' || ("offset" >> 14)::text])) stored;
create index on realtime.chat_messages using gin (words) with (gin_pending_list_limit = 64);

revoke execute on all functions in schema realtime from public;
