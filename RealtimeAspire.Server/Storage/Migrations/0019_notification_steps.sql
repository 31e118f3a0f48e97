set local lock_timeout = '2s';

-- A channel looks for its own deliveries, however many of another one are due.
create index on realtime.notification_deliveries (channel, due_at) where state = 'waiting';
drop index realtime.notification_deliveries_due_at_idx;

-- A user's consumers of one topic are counted when there is one more.
create index on realtime.cursors (tenant, user_id, topic);

-- Those who get a notification next, behind one of them: each part begins in its index where the step before has ended.
create or replace function realtime.notification_recipients(the_tenant text, the_id text, most integer)
returns table (user_id text, preferences text) language plpgsql stable
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  n realtime.notifications;
begin
  select * into strict n from realtime.notifications t where t.tenant = the_tenant and t.notification_id = the_id;
  return query
    with candidates as (
      (select u collate "C" as user_id from unnest(n.audience_users) u where n.audience = 'users' and u collate "C" > n.after_user order by 1 limit most)
      union
      (select m.user_id from realtime.members m
        where n.audience = 'topic' and m.tenant = the_tenant and m.topic = n.audience_topic and m.user_id > n.after_user and m.role <> 'banned' order by 1 limit most)
      union
      (select distinct m.user_id from realtime.members m where n.audience = 'tenant' and m.tenant = the_tenant and m.user_id > n.after_user and m.role <> 'banned' order by 1 limit most)
      union
      (select a.user_id from realtime.accounts a where n.audience = 'tenant' and a.tenant = the_tenant and a.user_id > n.after_user and not a.disabled order by 1 limit most)
      union
      (select i.user_id from realtime.inboxes i where n.audience = 'tenant' and i.tenant = the_tenant and i.user_id > n.after_user order by 1 limit most))
    select c.user_id, i.preferences
      from (select k.user_id from candidates k order by k.user_id limit most) c
      left join realtime.inboxes i on i.tenant = the_tenant and i.user_id = c.user_id
     order by c.user_id;
end
$$;
