-- SPDX-License-Identifier: MIT
-- A scheduler: each segment takes the path on which it will arrive first, by
-- what is known now: what the path still has under way, at the rate at which it
-- delivers, and half a round trip. A path that is full has first to become free.

local SECOND_US = 1000000

-- Microseconds from now until a segment sent on p has arrived.
local function arrival(p)
    local rate = math.max(p.rate, p.cwnd_bytes * SECOND_US // math.max(p.srtt_us, 1), 1)
    local waiting = p.room_bytes < p.mss_bytes and p.srtt_us // 2 or 0
    return waiting + p.in_flight_bytes * SECOND_US // rate + p.srtt_us // 2
end

local function pick(self, view)
    local best, best_us
    for i, p in ipairs(view.paths) do
        local us = arrival(p)
        if not (p.backup or p.stale) and (not best or us < best_us) then
            best, best_us = i, us
        end
    end
    if not best then
        return #view.paths > 0 and 1 or nil -- backup and stale paths are all there is
    end
    if view.paths[best].room_bytes == 0 then
        return nil -- it will be free soon enough
    end
    return best
end

return { summary = "the path on which it arrives first", pick = pick }
