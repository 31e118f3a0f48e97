alter table realtime.events validate constraint events_class;
