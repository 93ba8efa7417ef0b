-- SPDX-License-Identifier: MIT
-- A congestion control that does not wait for losses: its window grows by a segment
-- a round trip as long as packets queue for less than TARGET_US (or so many
-- microseconds: lua:gentle.lua,20000), and shrinks by one when they queue longer.

local TARGET_US = 10000

local function begin(self, options)
    self.target_us = tonumber(options) or TARGET_US
    self.acked = 0
end

local function acked(self, own, ack)
    local queued_us = own.srtt_us - own.rtt_min_us
    local cwnd, mss = own.cwnd_bytes, own.mss_bytes
    if own.in_recovery then
        return nil
    end
    if cwnd < own.ssthresh_bytes then -- slow start, until a queue shows
        if queued_us > self.target_us then
            return cwnd, cwnd
        end
        return ack.cwnd_limited and cwnd + ack.acked_bytes or nil
    end
    self.acked = self.acked + ack.acked_bytes
    if self.acked < cwnd then
        return nil
    end
    self.acked = 0 -- a window's worth, so once a round trip
    if queued_us > self.target_us then
        return math.max(cwnd - mss, 2 * mss)
    end
    return ack.cwnd_limited and cwnd + mss or nil
end

local function signal(self, own, what)
    local half = math.max(own.cwnd_bytes // 2, 2 * own.mss_bytes)
    self.acked = 0
    if what == "loss" then
        self.before = { own.cwnd_bytes, own.ssthresh_bytes }
        return half, half
    elseif what == "timeout" then
        self.before = { own.cwnd_bytes, own.ssthresh_bytes }
        return own.mss_bytes, half
    elseif what == "spurious" and self.before then
        return self.before[1], self.before[2]
    elseif what == "idle" then
        return math.min(own.cwnd_bytes, 10 * own.mss_bytes)
    end
end

return { summary = "keeps queues short", begin = begin, acked = acked, signal = signal }
