set local lock_timeout = '2s';

-- What an index has in it is small: with a hundred names a message did not fit, and with it nothing of its room that came later.
drop index realtime.chat_messages_topic_id_offset_author_mentions_idx;
create index on realtime.chat_messages (topic_id, "offset") include (author) where deleted_at is null and mentions <> '{}';
