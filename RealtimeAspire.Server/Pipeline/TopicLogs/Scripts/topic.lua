-- The beginning of every script: what is known of the topic.
-- KEYS[1]  its head, "<reign> <epoch> <last offset> <its time in ms>"
-- KEYS[2]  its stream: event n has the id n-0, its time as t, its body as b and, where it is signed, its signature as s

-- Redis counts its writes under an id that is another one after each start and each promotion, from which on the last
-- writes before may be missing. So no epoch outlives it.
local info = redis.call('INFO', 'replication')
local reign = string.match(info, 'master_replid:(%w+)')
if not reign or not string.find(info, 'role:master', 1, true) then
  return redis.error_reply('READONLY This is no master.')
end

local epoch, last, at = nil, 0, 0
local head = redis.call('GET', KEYS[1])
if head then
  local began, known, offset, time = string.match(head, '^(%w+) (%w+) (%d+) (%d+)$')
  at = tonumber(time)
  if began == reign then
    epoch, last = known, tonumber(offset)
  end
end

local function text(number)
  return string.format('%d', number)
end

local function id_of(offset)
  return string.format('%d-0', offset)
end

local function offset_of(entry)
  return tonumber(string.match(entry[1], '^%d+'))
end

local function time_of(entry)
  return tonumber(entry[2][2])
end

local function milliseconds()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The first of the events from..to that is of a time or later; to + 1 if none is. Times never fall, so it can be halved.
local function first_since(time, from, to)
  local middle = from
  while from <= to do
    local entry = redis.call('XRANGE', KEYS[2], id_of(middle), '+', 'COUNT', 1)[1]
    if entry and time_of(entry) < time then
      from = middle + 1
    else
      to = middle - 1
    end
    middle = math.floor((from + to) / 2)
  end
  return from
end
