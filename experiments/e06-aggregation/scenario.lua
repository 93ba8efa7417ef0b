-- SPDX-License-Identifier: MIT
-- CoNEXT'13 (Paasch et al.): what Multipath TCP gains over the better of two paths,
-- on points that fill the space of rates, delays, queues and losses evenly.
scenario("Aggregation benefit over a space of pairs of paths (CoNEXT'13)")
local point = param("point", 1, "", "which pair of paths, from 1")
local high = param("high", false, "", "high bandwidth-delay products: delays and queues are large")
local lossy = param("lossy", false, "", "both paths lose packets")
local window = param("window", 16384, "KB", "the largest buffers; they grow up to that")
local cc = param("cc", "cubic", "", "congestion control over both paths")
local alone = param("alone", "cubic", "", "congestion control of TCP on one path")
local scheduler = param("scheduler", "default", "", "of both ends")
local length = param("length", 60, "s", "of each transfer")
local megabytes = param("megabytes", 0, "MB", "a download of so much by HTTPS instead; 0: none")
local data = param("data", "", "", "pairs from this table: p0_bw_mbps, p0_owd_ms, p0_qdelay_s, "
                   .. "p0_loss_pct, and so on for p1")
plot{name = "benefit", title = "Aggregation benefit", y = "benefit", cdf = true,
     series = "scheduler", xlabel = "benefit: 0 is the better path alone, 1 is both"}

-- Point n of a sequence that fills the cube of this dimension evenly: multiples of
-- the powers of a generalised golden ratio, modulo 1.
local function fill(n, dimensions)
    local ratio = 2
    for _ = 1, 60 do
        ratio = (1 + ratio) ^ (1 / (dimensions + 1))
    end
    local x = {}
    for d = 1, dimensions do
        x[d] = (0.5 + n / ratio ^ d) % 1
    end
    return x
end

-- Rate 0.1 to 100 Mbit/s, round trip to 50 or 400 ms, queue to 100 ms or 2 s, loss to
-- 2.5 %; the queue has room for four packets at least.
local function spec(x, first)
    local rate = 0.1e6 + 99.9e6 * x[first]
    local delay = (high and 0.4 or 0.05) * x[first + 1] / 2
    local queue = (high and 2 or 0.1) * x[first + 2] * rate / 8
    return {rate = rate, delay = delay, queue = math.max(queue, 6000),
            loss = lossy and 2.5 * x[first + 3] or 0}
end

-- The path with this prefix in a row of the table.
local function listed(row, prefix)
    local rate = row[prefix .. "bw_mbps"] * 1e6
    return {rate = rate, delay = row[prefix .. "owd_ms"] / 1000,
            queue = math.max(row[prefix .. "qdelay_s"] * rate / 8, 6000),
            loss = row[prefix .. "loss_pct"]}
end

local specs
if data ~= "" then
    local row = csv(data)[point]
    specs = {listed(row, "p0_"), listed(row, "p1_")}
else
    local x = fill(point, 8)
    specs = {spec(x, 1), spec(x, 5)}
end

-- Mbit/s over these paths.
local function transfer(which)
    world{}
    local single = #which == 1
    local config = {cc = single and alone or cc, tcp = single,
                    send_buffer_max_bytes = window * KB, recv_buffer_max_bytes = window * KB}
    if not single and scheduler ~= "default" then
        config.scheduler = scheduler
    end
    local client, server = host("client", config), host("server", config)
    local s = server:iface("10.1.0.1")
    local first
    for _, i in ipairs(which) do
        local c = client:iface("10.0." .. i .. ".1")
        first = first or c
        path(c, s, specs[i], specs[i])
    end
    if megabytes > 0 then
        local get = dialogue{from = first, to = s, sizes = {300, 4000, 300, 60, 200, megabytes * MB}}
        finish{limit = 36000}
        return megabytes * 8 / get.client:times().last
    end
    local _, _, reader = bulk{from = first, to = s, stop = length + 1}
    local mbps = goodput(reader, 0, length)
    advance(length)
    return mbps()
end

local one, two, both = transfer{1}, transfer{2}, transfer{1, 2}
local best = math.max(one, two)
local benefit = both >= best and (both - best) / math.min(one, two) or (both - best) / best
figure("first", "Mbit/s", one)
figure("second", "Mbit/s", two)
figure("both", "Mbit/s", both)
figure("benefit", "", math.min(benefit, 2))
