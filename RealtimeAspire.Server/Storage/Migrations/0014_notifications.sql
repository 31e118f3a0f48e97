set local lock_timeout = '2s';

-- What was sent, to whom, and how far that has come. Each recipient has an entry of it in his inbox.
create table realtime.notifications (
  tenant text collate "C" not null,
  notification_id text collate "C" not null,
  -- A user, key:{id} of a service key; empty for the server itself.
  sender text collate "C" not null,
  -- The sender's own: sent again it is the same notification.
  request_id text collate "C" not null,
  -- What makes two sends of one id the same.
  content bytea not null,
  kind text not null,
  title text not null,
  body text,
  link text,
  data text,
  priority text not null check (priority in ('low', 'normal', 'high', 'urgent')),
  collapse_key text collate "C",
  created_at timestamptz not null,
  expires_at timestamptz not null,
  audience text not null check (audience in ('users', 'topic', 'tenant')),
  audience_users text[] collate "C",
  audience_topic text collate "C",
  -- Recipients are dealt with in the order of their names; those up to this one are.
  after_user text collate "C" not null default '',
  delivered bigint not null default 0,
  muted bigint not null default 0,
  refused bigint not null default 0,
  touched_at timestamptz not null default now(),
  finished_at timestamptz,
  primary key (tenant, notification_id),
  unique (tenant, sender, request_id)
);
create index on realtime.notifications (touched_at) where finished_at is null;
create index on realtime.notifications (expires_at);

-- One row for each user who has one: whoever changes something in an inbox locks it, so that what is counted is exact.
create table realtime.inboxes (
  tenant text collate "C" not null,
  user_id text collate "C" not null,
  preferences text,
  -- As a backend has told it: nobody has mail sent to an address that he types in.
  email text,
  created_at timestamptz not null default now(),
  primary key (tenant, user_id)
);

create table realtime.inbox_entries (
  tenant text collate "C" not null,
  user_id text collate "C" not null,
  notification_id text collate "C" not null,
  -- Of its event in the topic user:{user_id}.
  "offset" bigint not null,
  collapse_key text collate "C",
  created_at timestamptz not null,
  expires_at timestamptz not null,
  read_at timestamptz,
  read_on text,
  removed_at timestamptz,
  -- removed, replaced or expired.
  removal text,
  primary key (tenant, user_id, notification_id),
  unique (tenant, user_id, "offset"),
  foreign key (tenant, notification_id) references realtime.notifications on delete cascade
);
create index on realtime.inbox_entries (tenant, notification_id, user_id);
create index on realtime.inbox_entries (tenant, user_id, expires_at) where read_at is null and removed_at is null;
create index on realtime.inbox_entries (expires_at) where removed_at is null;

-- Where a user gets Web Push. A subscription is a browser's: it belongs to whoever has signed in there last.
create table realtime.inbox_devices (
  tenant text collate "C" not null,
  user_id text collate "C" not null,
  device text collate "C" not null,
  endpoint text collate "C" not null unique,
  p256dh text not null,
  auth text not null,
  created_at timestamptz not null default now(),
  primary key (tenant, user_id, device)
);

-- What has become of an entry on each channel and device. Of live ones only that they were acknowledged.
create table realtime.notification_deliveries (
  delivery_id bigint generated always as identity primary key,
  tenant text collate "C" not null,
  user_id text collate "C" not null,
  notification_id text collate "C" not null,
  channel text not null check (channel in ('live', 'push', 'email')),
  device text collate "C" not null default '',
  state text not null check (state in ('waiting', 'leased', 'sending', 'sent', 'delivered', 'cancelled', 'dead', 'unknown')),
  reason text,
  attempts integer not null default 0,
  due_at timestamptz,
  lease uuid,
  lease_until timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  changed_at timestamptz not null default clock_timestamp(),
  unique (tenant, notification_id, user_id, channel, device),
  foreign key (tenant, user_id, notification_id) references realtime.inbox_entries on delete cascade
);
create index on realtime.notification_deliveries (due_at) where state = 'waiting';
create index on realtime.notification_deliveries (lease_until) where state in ('leased', 'sending');
create index on realtime.notification_deliveries (tenant, delivery_id) where state in ('dead', 'unknown');

do $$
declare
  name text;
begin
  foreach name in array array['notifications', 'inboxes', 'inbox_entries', 'inbox_devices', 'notification_deliveries'] loop
    execute format('alter table realtime.%I enable row level security', name);
    execute format('alter table realtime.%I force row level security', name);
    execute format('create policy upkeep on realtime.%I to %I using (true)', name, current_user);
    execute format('create policy reading on realtime.%I for select to realtime_reader using (tenant = (select realtime.reading_tenant()))', name);
    execute format('grant select on realtime.%I to realtime_reader', name);
  end loop;
end
$$;

create function realtime.wire_time(at timestamptz) returns text language sql stable as $$
  select to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

-- Whoever holds it is the only one who changes something in the inbox.
create function realtime.lock_inbox(the_tenant text, the_user text) returns void language plpgsql as $$
begin
  insert into realtime.inboxes (tenant, user_id) values (the_tenant, the_user) on conflict do nothing;
  perform 1 from realtime.inboxes i where i.tenant = the_tenant and i.user_id = the_user for update;
end
$$;

create function realtime.inbox_unread(the_tenant text, the_user text) returns bigint language sql stable as $$
  select count(*) from realtime.inbox_entries e
   where e.tenant = the_tenant and e.user_id = the_user and e.read_at is null and e.removed_at is null and e.expires_at > clock_timestamp()
$$;

-- Puts a notification into inboxes: the entry, its event and what is planned for it on other channels, or nothing of it.
create function realtime.deliver_notification(the_tenant text, the_id text, users text[], push_times timestamptz[], email_times timestamptz[])
returns table (recipient text, code text) language plpgsql as $$
declare
  n realtime.notifications;
  one record;
  replaced text[];
  place bigint;
begin
  select * into strict n from realtime.notifications t where t.tenant = the_tenant and t.notification_id = the_id;
  for one in select r.u, r.p, r.m from unnest(users, push_times, email_times) as r(u, p, m) order by r.u collate "C" loop
    recipient := one.u;
    code := null;
    begin
      perform realtime.lock_inbox(the_tenant, one.u);
      if not exists (select from realtime.inbox_entries e where e.tenant = the_tenant and e.user_id = one.u and e.notification_id = the_id) then
        with gone as (
          update realtime.inbox_entries e set removed_at = clock_timestamp(), removal = 'replaced'
           where n.collapse_key is not null and e.tenant = the_tenant and e.user_id = one.u and e.collapse_key = n.collapse_key
             and e.read_at is null and e.removed_at is null
          returning e.notification_id)
        select coalesce(array_agg(gone.notification_id order by gone.notification_id), '{}') into replaced from gone;
        select p."offset" into place from realtime.publish(
          topic => 'user:' || one.u, event => 'notification:new', id => the_id, entity_id => the_id, tenant => the_tenant,
          payload => json_build_object(
            'id', n.notification_id, 'kind', n.kind, 'title', n.title, 'body', n.body, 'link', n.link, 'data', n.data::json, 'priority', n.priority,
            'from', nullif(n.sender, ''), 'collapseKey', n.collapse_key, 'createdAt', realtime.wire_time(n.created_at), 'expiresAt', realtime.wire_time(n.expires_at),
            'replaces', to_json(replaced), 'unread', realtime.inbox_unread(the_tenant, one.u) + 1)) p;
        insert into realtime.inbox_entries (tenant, user_id, notification_id, "offset", collapse_key, created_at, expires_at)
        values (the_tenant, one.u, the_id, place, n.collapse_key, n.created_at, n.expires_at);
        insert into realtime.notification_deliveries (tenant, user_id, notification_id, channel, device, state, due_at)
        select the_tenant, one.u, the_id, 'push', d.device, 'waiting', one.p
          from realtime.inbox_devices d where d.tenant = the_tenant and d.user_id = one.u and one.p is not null
        union all
        select the_tenant, one.u, the_id, 'email', '', 'waiting', one.m
          from realtime.inboxes i where i.tenant = the_tenant and i.user_id = one.u and i.email is not null and one.m is not null;
      end if;
    exception when others then
      -- Refused by realtime.publish, for this user alone.
      if left(sqlstate, 2) <> 'RT' then
        raise;
      end if;
      code := split_part(sqlerrm, ':', 1);
    end;
    return next;
  end loop;
end
$$;

-- Read on one device is read on all: one of them, or all up to a place.
create function realtime.read_inbox(the_tenant text, the_user text, the_id text, up_to bigint, device text, out is_there boolean, out changed bigint, out unread bigint)
language plpgsql as $$
begin
  perform realtime.lock_inbox(the_tenant, the_user);
  -- Nobody has read what is not there yet.
  if up_to is not null then
    up_to := least(up_to, (select t.last_offset from realtime.topics t where t.tenant = the_tenant and t.topic = 'user:' || the_user));
  end if;
  is_there := the_id is null or exists (
    select from realtime.inbox_entries e
     where e.tenant = the_tenant and e.user_id = the_user and e.notification_id = the_id and e.removed_at is null and e.expires_at > clock_timestamp());
  update realtime.inbox_entries e set read_at = clock_timestamp(), read_on = device
   where e.tenant = the_tenant and e.user_id = the_user and e.read_at is null and e.removed_at is null and e.expires_at > clock_timestamp()
     and (e.notification_id = the_id or e."offset" <= up_to);
  get diagnostics changed = row_count;
  unread := realtime.inbox_unread(the_tenant, the_user);
  if changed > 0 then
    perform realtime.publish(
      topic => 'user:' || the_user, event => 'notification:read', entity_id => the_id, tenant => the_tenant,
      payload => json_build_object('ids', case when the_id is not null then json_build_array(the_id) end, 'upTo', up_to, 'unread', unread));
  end if;
end
$$;

create function realtime.remove_from_inbox(the_tenant text, the_user text, ids text[], why text, out changed bigint, out unread bigint) language plpgsql as $$
declare
  gone text[];
begin
  perform realtime.lock_inbox(the_tenant, the_user);
  with removed as (
    update realtime.inbox_entries e set removed_at = clock_timestamp(), removal = why
     where e.tenant = the_tenant and e.user_id = the_user and e.notification_id = any(ids) and e.removed_at is null
    returning e.notification_id)
  select coalesce(array_agg(removed.notification_id order by removed.notification_id), '{}') into gone from removed;
  changed := cardinality(gone);
  unread := realtime.inbox_unread(the_tenant, the_user);
  if changed > 0 then
    perform realtime.publish(
      topic => 'user:' || the_user, event => 'notification:removed', entity_id => case when changed = 1 then gone[1] end, tenant => the_tenant,
      payload => json_build_object('ids', to_json(gone), 'why', why, 'unread', unread));
  end if;
end
$$;

-- Those who get a notification next, behind one of them.
create function realtime.notification_recipients(the_tenant text, the_id text, most integer)
returns table (user_id text, preferences text) language sql stable as $$
  with n as (select * from realtime.notifications t where t.tenant = the_tenant and t.notification_id = the_id),
  candidates as (
    (select u collate "C" as user_id from n, unnest(n.audience_users) u where n.audience = 'users' and u collate "C" > n.after_user order by 1 limit most)
    union
    (select m.user_id from n join realtime.members m on m.tenant = the_tenant and m.topic = n.audience_topic and m.user_id > n.after_user and m.role <> 'banned'
      where n.audience = 'topic' order by 1 limit most)
    union
    (select distinct m.user_id from n join realtime.members m on m.tenant = the_tenant and m.user_id > n.after_user and m.role <> 'banned' where n.audience = 'tenant' order by 1 limit most)
    union
    (select a.user_id from n join realtime.accounts a on a.tenant = the_tenant and a.user_id > n.after_user and not a.disabled where n.audience = 'tenant' order by 1 limit most)
    union
    (select i.user_id from n join realtime.inboxes i on i.tenant = the_tenant and i.user_id > n.after_user where n.audience = 'tenant' order by 1 limit most))
  select c.user_id, i.preferences
    from candidates c left join realtime.inboxes i on i.tenant = the_tenant and i.user_id = c.user_id
   order by c.user_id collate "C" limit most
$$;

-- What has expired leaves its inbox, with an event. One node at a time.
create function realtime.expire_inboxes(most integer) returns bigint language plpgsql as $$
declare
  one record;
  expired bigint := 0;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('realtime.expire_inboxes', 0)) then
    return 0;
  end if;
  for one in
    select d.tenant, d.user_id, array_agg(d.notification_id) as ids
      from (select e.tenant, e.user_id, e.notification_id from realtime.inbox_entries e
             where e.removed_at is null and e.expires_at <= clock_timestamp() order by e.expires_at limit most) d
     group by d.tenant, d.user_id order by d.tenant, d.user_id
  loop
    begin
      perform realtime.remove_from_inbox(one.tenant, one.user_id, one.ids, 'expired');
    exception when others then
      if left(sqlstate, 2) <> 'RT' then
        raise;
      end if;
      -- Nothing may be published for this tenant; it is not shown any more all the same.
      update realtime.inbox_entries e set removed_at = clock_timestamp(), removal = 'expired'
       where e.tenant = one.tenant and e.user_id = one.user_id and e.notification_id = any(one.ids) and e.removed_at is null;
    end;
    expired := expired + cardinality(one.ids);
  end loop;
  return expired;
end
$$;

-- A device has dealt with its inbox up to a place: so it was delivered there, which nothing else could tell.
create function realtime.inbox_acknowledged() returns trigger language plpgsql as $$
declare
  before bigint := 0;
begin
  if tg_op = 'UPDATE' and old.epoch = new.epoch then
    before := old."offset";
  end if;
  if not exists (select from realtime.topics t where t.tenant = new.tenant and t.topic = new.topic and t.epoch || realtime.incarnation() = new.epoch) then
    return null;
  end if;
  insert into realtime.notification_deliveries (tenant, user_id, notification_id, channel, device, state)
  select e.tenant, e.user_id, e.notification_id, 'live', new.consumer, 'delivered'
    from realtime.inbox_entries e
   where e.tenant = new.tenant and e.user_id = new.user_id and e."offset" > before and e."offset" <= new."offset" and e.removed_at is null
  on conflict do nothing;
  return null;
end
$$;
create trigger inbox_acknowledged after insert or update of epoch, "offset" on realtime.cursors
  for each row when (new.topic = 'user:' || new.user_id) execute function realtime.inbox_acknowledged();

revoke execute on all functions in schema realtime from public;
grant execute on function realtime.inbox_unread to realtime_reader;
