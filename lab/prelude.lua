-- SPDX-License-Identifier: MIT
-- What scenarios have beyond the functions in C: the same words made of those.

-- ---- figures of many values --------------------------------------------------------------

local function numbers(list, what)
    if type(list) ~= "table" or #list == 0 then
        error(what .. " wants a list with at least one number", 3)
    end
    return list
end

local function sum(list)
    local s = 0
    for _, v in ipairs(list) do
        s = s + v
    end
    return s
end

function mean(list)
    return sum(numbers(list, "mean")) / #list
end

-- The value below which p percent are, between neighbours by their distance.
function percentile(list, p)
    numbers(list, "percentile")
    if p < 0 or p > 100 then
        error("percentile: from 0 to 100", 2)
    end
    local sorted = {}
    for i, v in ipairs(list) do
        sorted[i] = v
    end
    table.sort(sorted)
    local place = 1 + (#sorted - 1) * p / 100
    local below = math.floor(place)
    local above = math.min(below + 1, #sorted)
    return sorted[below] + (sorted[above] - sorted[below]) * (place - below)
end

function median(list)
    return percentile(list, 50)
end

-- Jain's index of fairness: 1 when all are equal, 1/n when one has everything.
function jain(list)
    local squares = 0
    for _, v in ipairs(numbers(list, "jain")) do
        squares = squares + v * v
    end
    return squares > 0 and sum(list) ^ 2 / (#list * squares) or 1
end

-- ---- probes ------------------------------------------------------------------------------

-- Call f every `interval`, first after one, until `stop` (without one: for ever).
function every(interval, f, stop)
    interval = seconds(interval)
    if interval <= 0 then
        error("every: the interval is more than 0", 2)
    end
    stop = stop and seconds(stop)
    local function tick()
        f()
        if not stop or now() + interval <= stop then
            at(now() + interval, tick)
        end
    end
    at(now() + interval, tick)
end

-- What a counter grows between two times. Ask when the second has come.
function between(from, to, counter)
    local first, last
    at(from, function() first = counter() end)
    at(to, function() last = counter() end)
    return function()
        if not last then
            error("that time has not come", 2)
        end
        return last - first
    end
end

-- Mbit/s that a side reads between two times.
function goodput(side, from, to)
    local read = between(from, to, function() return side:received() end)
    local span = seconds(to) - seconds(from)
    return function()
        return read() * 8 / span / 1e6
    end
end

-- ---- applications ------------------------------------------------------------------------

local function streams_of(o, what, allowed)
    if type(o) ~= "table" then
        error(what .. " is called with a table: " .. what .. "{from = ..., to = ...}", 3)
    end
    for k in pairs(o) do
        if not allowed[k] then
            local list = {}
            for name in pairs(allowed) do
                list[#list + 1] = name
            end
            error(what .. " has no \"" .. tostring(k) .. "\", only " .. table.concat(list, ", "), 3)
        end
    end
    return {from = o.from, to = o.to, start = o.start, options = o.options,
            server_options = o.server_options}
end

local common = {from = true, to = true, start = true, options = true, server_options = true}
local function with(...)
    local all = {}
    for k in pairs(common) do
        all[k] = true
    end
    for _, k in ipairs({...}) do
        all[k] = true
    end
    return all
end

-- One way, as fast as it goes: `bytes`, or until `stop`. Returns the stream, its
-- writing and its reading side.
local bulk_fields = with("bytes", "stop", "down", "block")
function bulk(o)
    local c = streams_of(o, "bulk", bulk_fields)
    local writer = {send = o.bytes or "endless", stop = o.stop, block = o.block}
    local reader = {["end"] = "after_eof"}
    if not o.bytes and not o.stop then
        error("bulk wants bytes or stop", 2)
    end
    c.client, c.server = writer, reader
    if o.down then
        c.client, c.server = reader, writer
    end
    local s = connect(c)
    if o.down then
        return s, s.server, s.client
    end
    return s, s.client, s.server
end

-- `count` requests, one every `interval`, each answered at once.
local request_fields = with("count", "request", "response", "interval")
function requests(o)
    local c = streams_of(o, "requests", request_fields)
    c.client = {requests = o.count, request = o.request, response = o.response, interval = o.interval}
    c.server = {respond_to = o.request, respond = o.response, ["end"] = "after_eof"}
    return connect(c)
end

-- By turns: the client writes sizes[1] bytes, the server then sizes[2], and so on; the
-- last one ends it.
local dialogue_fields = with("sizes")
function dialogue(o)
    local c = streams_of(o, "dialogue", dialogue_fields)
    local sizes, turn, due, stream = numbers(o.sizes, "dialogue"), 0, {0, 0}, nil
    local function next_turn()
        turn = turn + 1
        if turn > #sizes then
            stream.client:finish()
            stream.server:finish()
            return
        end
        local writer, reader = stream.client, 2
        if turn % 2 == 0 then
            writer, reader = stream.server, 1
        end
        due[reader] = due[reader] + bytes(sizes[turn])
        writer:write(sizes[turn])
    end
    local function listen(self)
        return function(side)
            local speaker = turn % 2 == 0 and 2 or 1
            if turn == 0 and self == 1 or
               turn > 0 and turn <= #sizes and self ~= speaker and side:received() == due[self] then
                next_turn()
            end
        end
    end
    c.client = {driven = true, notice = listen(1)}
    c.server = {driven = true, notice = listen(2)}
    stream = connect(c)
    return stream
end

-- Blocks of `block` bytes at a constant `rate`, from the client for `duration`.
local cbr_fields = with("block", "rate", "duration")
function cbr(o)
    local c = streams_of(o, "cbr", cbr_fields)
    local block = bytes(o.block)
    local interval = block * 8 / rate(o.rate)
    c.client = {requests = math.floor(seconds(o.duration) / interval), request = block,
                interval = interval}
    c.server = {["end"] = "after_eof"}
    return connect(c)
end

-- Cross traffic that comes and goes: on for `on`, off for `off` seconds, or so long
-- on average with `random` (exponential). Returns it.
local on_off_fields = {links = true, rate = true, size = true, on = true, off = true,
                       random = true, start = true, stop = true}
function on_off(o)
    streams_of(o, "on_off", on_off_fields)
    local c = cross(o.links, o.rate, o.size)
    local stop = o.stop and seconds(o.stop)
    local on, off = seconds(o.on), seconds(o.off)
    if on <= 0 or off <= 0 then
        error("on_off: on and off are more than 0", 2)
    end
    local function lasts(mean)
        return o.random and -mean * math.log(1 - random()) or mean
    end
    local function switch(state)
        if stop and now() >= stop then
            c:set_on(false)
            return
        end
        c:set_on(state)
        at(now() + lasts(state and on or off), function() switch(not state) end)
    end
    at(o.start and seconds(o.start) or now(), function() switch(true) end)
    return c
end

-- TCP flows of `bytes` each that start at random times (Poisson), `per_second` of
-- them on average, from `start` until `stop`. Returns the list that they are added to.
local poisson_fields = with("bytes", "per_second", "stop", "down")
function poisson(o)
    streams_of(o, "poisson", poisson_fields)
    local flows, stop = {}, seconds(o.stop)
    local function next_one()
        local when = now() - math.log(1 - random()) / o.per_second
        if when < stop then
            at(when, function()
                flows[#flows + 1] = bulk{from = o.from, to = o.to, start = now(), bytes = o.bytes,
                                         down = o.down, options = o.options,
                                         server_options = o.server_options}
                next_one()
            end)
        end
    end
    at(o.start and seconds(o.start) or now(), next_one)
    return flows
end
