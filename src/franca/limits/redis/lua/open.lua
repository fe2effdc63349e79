-- A script is this file, its own and close.lua; `-- include NAME` stands for that file.
-- A name after a dollar is a number: scripts.py has them all.
--
-- The answer is one text: the epoch of the state that is ('': none), a zero, and numbers: the seq,
-- then what the script itself answers; where that is nothing at all, the state was not the one known.
--
-- ARGV: the layout of what follows it, what is asked, and where it is about many leases, those.
-- Asked are six texts:
--   the epoch known ('': none), the epoch proposed, the lease's id ('' where it is about none),
--   the layouts of head and record, and a text that the script itself wants;
-- and numbers:
--   slots, lease, keep, ttl, windows, then limit, span and width of each window;
--   now (-1: the server's), the seq seen, and what the script itself wants.
-- Times and spans are whole microseconds, as everywhere.
-- KEYS: the book (a hash), the queue (a list of lease ids).
-- Fields of the book: ':head'; a lease's id for its record; ':<window>:<place>', a bucket's number
-- and count (one that holds an older number is empty); ':back' (see restore.lua).
-- A record is kind (1 granted, 0 waiting), expires, at (waiting: when it is due), known, the
-- amounts, the margins (granted: what was used then with it), owner (the channel to ring).
local ask = {struct.unpack(ARGV[1], ARGV[2])}
local id, slots, windows = ask[3], ask[$SLOTS], ask[$WINDOWS]
local own = $WINDOWS + 3 * windows -- then: now, seen, the script's own
local now = ask[own + 1]
if now < 0 then
  now = redis.call('TIME')
  now = now[1] * 1000000 + now[2]
end
local read = redis.call('HMGET', KEYS[1], ':head', id)
local s, epoch, fresh = nil, ask[2], not read[1]
local clock, before = now, 0
if fresh then
  if ask[1] ~= '' then return '\0' .. struct.pack('<i8', 0) end
  s = {}
  for place = 1, $HEAD + $EACH * windows do s[place] = 0 end
  s[$EXPIRY] = $FOREVER
  redis.call('DEL', KEYS[2])
  -- A server in its first second may have lost its memory: those who know of more come first.
  if ask[own + 1] < 0 and redis.call('INFO', 'server'):find('uptime_in_seconds:0', 1, true) then
    s[$BACK] = now + 1000000
  end
else
  s = {struct.unpack(ask[4], read[1])}
  epoch, before = s[$HEAD + $EACH * windows + 1], s[$NOW]
  if ask[1] ~= '' and (ask[1] ~= epoch or s[$SEQ] < ask[own + 2]) then
    return epoch .. '\0' .. struct.pack('<i8', s[$SEQ])
  end
  if before > now then now = before end
end
s[$NOW] = now

local set, gone     -- of the book: fields and values to write, fields to delete
local rung          -- who was granted before it was promised: owner, id, ...
local touch = fresh -- whether the keys' time to live is to be counted anew
local counts, book  -- see cells.lua and book.lua
local answer, texts -- numbers; and a list of texts, if any

-- Whether there is room for what list[first + 1] and so on say: amounts, then margins.
local function fits(list, first)
  if s[$HOLD] > now or s[$BACK] > now or (slots > 0 and s[$BUSY] >= slots) then return false end
  for i = 1, windows do
    local base, limit = $EACH * i, ask[3 * i + $LIMIT]
    local need = list[first + i] + list[first + windows + i]
    if s[base + $UNTIL] > now and s[base + $CAP] < limit then limit = s[base + $CAP] end
    -- more than the limit, as after it was lowered, goes alone
    if s[base + $USED] + (need < limit and need or limit) > limit then return false end
  end
  return true
end

-- Count those amounts; the record of it.
local function grant(list, first)
  local expires = now + ask[$KEEP]
  local record = {1, expires, now, 1, 0, 0, 0, 0}
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
  if math.floor(now / ask[3 * i + $WIDTH]) ~= s[$EACH * i + $LAST] then current = false end
end
