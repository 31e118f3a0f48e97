-- Which events go together when their time is over: the days that their topic's type keeps them, 0 for ever. What there is has
-- no limit yet. The check is what lets the table become a partition without being read; the next migration proves it, while
-- publishes go on.
set local lock_timeout = '2s';
alter table realtime.events
  add column retention_class integer not null default 0,
  add constraint events_class check (retention_class = 0) not valid;
