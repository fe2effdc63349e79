-- A script is this file, its own, in which `-- include book` stands for book.lua, and close.lua.
-- A name after a dollar is a number: scripts.py has them all.
--
-- One argument, two msgpack arrays. Times and spans are whole microseconds, as everywhere.
--   rules: slots, lease, keep, ttl, windows, the layouts of head and record, then limit, span and
--          width of each window
--   ask:   now (nil: the server's), the epoch known ('': none), the seq seen, the epoch proposed,
--          the lease's id ('' where it is about none), then what the script itself wants
-- KEYS: the book (a hash), the queue (a list of lease ids).
-- Fields of the book: ':head'; a lease's id for its record; ':<window>:<place>', a bucket's number
-- and count (one that holds an older number is empty); ':back' (see restore.lua).
-- A record is kind (1 granted, 0 waiting), expires, at (waiting: when it is due), known, the
-- amounts, the margins (granted: what was used then with it), owner (the channel to ring).
local rules, ask = cmsgpack.unpack(ARGV[1])
local slots, windows, id = rules[1], rules[5], ask[5]
local now = ask[1]
if not now then
  now = redis.call('TIME')
  now = now[1] * 1000000 + now[2]
end
local read = redis.call('HMGET', KEYS[1], ':head', id)
local s, epoch, fresh = nil, ask[4], not read[1]
local clock, before = now, 0
if fresh then
  if ask[2] ~= '' then return {0, '', 0} end
  s = {}
  for place = 1, $HEAD + $EACH * windows do s[place] = 0 end
  s[$EXPIRY] = $FOREVER
  redis.call('DEL', KEYS[2])
else
  s = {struct.unpack(rules[6], read[1])}
  epoch, before = s[$HEAD + $EACH * windows + 1], s[$NOW]
  if ask[2] ~= '' and (ask[2] ~= epoch or s[$SEQ] < ask[3]) then return {0, epoch, s[$SEQ]} end
  if before > now then now = before end
end
s[$NOW] = now

local set, gone = {':head', ''}, {} -- of the book: fields and values to write, fields to delete
local rung                          -- who was granted before it was promised: owner, id, ...
local touch = fresh                 -- whether the keys' time to live is to be counted anew
local book                          -- see book.lua
local answer

-- Whether there is room for what list[first + 1] and so on say: amounts, then margins.
local function fits(list, first)
  if s[$HOLD] > now or s[$BACK] > now or (slots > 0 and s[$BUSY] >= slots) then return false end
  for i = 1, windows do
    local base, limit = $EACH * i, rules[3 * i + 5]
    local need = list[first + i] + list[first + windows + i]
    if s[base + $UNTIL] > now and s[base + $CAP] < limit then limit = s[base + $CAP] end
    -- more than the limit, as after it was lowered, goes alone
    if s[base + $USED] + (need < limit and need or limit) > limit then return false end
  end
  return true
end

-- Count those amounts; the record of it.
local function grant(list, first)
  local expires = now + rules[3]
  local record = {1, expires, now, 1}
  for i = 1, windows do
    local base, amount = $EACH * i, list[first + i]
    local used = s[base + $USED] + amount
    s[base + $USED], s[base + $CURRENT] = used, s[base + $CURRENT] + amount
    record[4 + i], record[4 + windows + i] = amount, used
  end
  record[5 + 2 * windows] = ''
  s[$SEQ], s[$BUSY] = s[$SEQ] + 1, s[$BUSY] + 1
  if expires < s[$EXPIRY] then s[$EXPIRY] = expires end
  return record
end

-- Whether nothing has happened by itself since the last script.
local current = s[$WAITING] == 0 and now < s[$EXPIRY]
for i = 1, windows do
  if math.floor(now / rules[3 * i + 7]) ~= s[$EACH * i + $LAST] then current = false end
end
