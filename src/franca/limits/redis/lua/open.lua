-- Every script is open.lua, book.lua, its own file and close.lua, in a row. Times are whole
-- microseconds, as everywhere. One argument, two msgpack arrays:
--   rules: slots, lease, keep, ttl, then limit, span and width of each window
--   ask:   now (nil: the server's), the epoch known ('': none), the seq seen, the epoch proposed,
--          the lease's id ('' where it is about none), then what the script itself wants
-- KEYS: the book (a hash), the queue (a list of lease ids).
-- Fields of the book: 'head' (below), 'l<id>' (a lease's record), '<window>:<place>' (a bucket's
-- number and count; one that holds an older number is empty), 'back' (see restore.lua).
-- A record is {1, expires, at, amounts, what was used then with it} where it was granted and
-- {0, expires, due, known, amounts, margins, owner} where it waits.
local FOREVER, RING = 4503599627370496, 257
local floor, max, min = math.floor, math.max, math.min
-- places in the head
local NOW, SEQ, HOLD, BACK, KEPT, EXPIRY, TOUCHED, BUSY, WAITING = 1, 2, 3, 4, 5, 6, 7, 8, 9
-- places behind a window's base: CURRENT is the last bucket's count, QUEUED what the queue wants,
-- and before bucket FIRST nothing is counted
local HEAD, EACH = 9, 9
local LAST, USED, CURRENT, CAP, UNTIL, FOREIGN, FOREIGN_AT, QUEUED, FIRST = 1, 2, 3, 4, 5, 6, 7, 8, 9

local rules, ask = cmsgpack.unpack(ARGV[1])
local slots, lease, keep = rules[1], rules[2], rules[3]
local windows = (#rules - 4) / 3
local numbers = HEAD + EACH * windows
local layout = '<' .. string.rep('d', numbers) .. 's'
local clock = ask[1]
if not clock then
  local time = redis.call('TIME')
  clock = time[1] * 1000000 + time[2]
end
local id = ask[5]
local read = redis.call('HMGET', KEYS[1], 'head', 'l' .. id)
local s, epoch, fresh, before
if read[1] then
  s = {struct.unpack(layout, read[1])}
  epoch, fresh, before = s[numbers + 1], false, s[NOW]
  if ask[2] ~= '' and (ask[2] ~= epoch or s[SEQ] < ask[3]) then return {0, epoch, s[SEQ]} end
else
  if ask[2] ~= '' then return {0, '', 0} end
  s, epoch, fresh, before = {}, ask[4], true, 0
  for place = 1, numbers do s[place] = 0 end
  s[EXPIRY] = FOREVER
end
local now = max(clock, s[NOW])
s[NOW] = now

local fields = {}   -- of the book, to be written: false is to be deleted
local records = {}  -- leases' records by id as far as they were read; false where there is none
local rung = {}     -- who was granted before they were promised: owner, id
local touch = fresh -- the keys' time to live is to be counted anew
local answer

local function put(which, record)
  records[which] = record
  fields['l' .. which] = record and cmsgpack.pack(record)
end

local function fits(amounts, margins)
  if s[HOLD] > now or s[BACK] > now or (slots > 0 and s[BUSY] >= slots) then return false end
  for i = 1, windows do
    local base, limit, need = EACH * i, rules[3 * i + 2], amounts[i] + margins[i]
    if s[base + UNTIL] > now and s[base + CAP] < limit then limit = s[base + CAP] end
    if s[base + USED] + (need < limit and need or limit) > limit then return false end
  end
  return true
end

local function grant(which, amounts)
  local used = {}
  for i = 1, windows do
    local base, amount = EACH * i, amounts[i]
    used[i] = s[base + USED] + amount
    s[base + USED], s[base + CURRENT] = used[i], s[base + CURRENT] + amount
  end
  local expires = now + keep
  s[SEQ], s[BUSY], s[EXPIRY] = s[SEQ] + 1, s[BUSY] + 1, min(s[EXPIRY], expires)
  put(which, {1, expires, now, amounts, used})
end

-- Whether all but the clock stands as it stood: then there is no need of the book.
local current = s[WAITING] == 0 and now < s[EXPIRY]
for i = 1, windows do
  if floor(now / rules[3 * i + 4]) ~= s[EACH * i + LAST] then current = false end
end
