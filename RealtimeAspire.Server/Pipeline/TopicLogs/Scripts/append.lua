-- KEYS[3]  the id, "<epoch> <offset> <time> <content>"
local candidate, content, channel, header, body = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local window, events, age, life = ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
-- Empty: there is none.
local signature = ARGV[10]

-- What an id stood for in another epoch is gone.
local known = redis.call('GET', KEYS[3])
if known and epoch then
  local began, offset, time, before = string.match(known, '^(%w+) (%d+) (%d+) (%w*)$')
  if began == epoch then
    return { before == content and 'duplicate' or 'conflict', epoch, offset, time }
  end
end

-- A script that fails is not rolled back. It is the first write that fails, when Redis is full or read-only: those behind
-- it are let through.
if not epoch then
  epoch, last = candidate, 0
  if redis.call('EXISTS', KEYS[2]) == 1 then
    redis.call('UNLINK', KEYS[2])
  end
end

local offset, time = last + 1, text(math.max(milliseconds(), at))
local function add(...)
  if events > 0 then
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', events, id_of(offset), 't', time, 'b', body, ...)
  else
    redis.call('XADD', KEYS[2], id_of(offset), 't', time, 'b', body, ...)
  end
end
if signature == '' then
  add()
else
  add('s', signature)
  body = signature .. '\n' .. body
end

head = table.concat({ reign, epoch, text(offset), time }, ' ')
if age > 0 then
  redis.call('SET', KEYS[1], head, 'PX', life)
  redis.call('PEXPIRE', KEYS[2], age)
  -- Readers see no event past its age; this frees the memory, now and then.
  if offset % 64 == 0 then
    redis.call('XTRIM', KEYS[2], 'MINID', '~', id_of(first_since(milliseconds() - age + 1, 1, offset)))
  end
else
  redis.call('SET', KEYS[1], head)
  redis.call('PERSIST', KEYS[2])
end

redis.call('SET', KEYS[3], table.concat({ epoch, text(offset), time, content }, ' '), 'PX', window)
-- No channel: no other node listens.
if channel ~= '' then
  redis.pcall('PUBLISH', channel, table.concat({ header, text(offset), ' ', time, ' ', epoch, '\n', body }))
end
return { 'appended', epoch, text(offset), time }
