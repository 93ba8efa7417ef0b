-- SPDX-License-Identifier: MIT
-- CoNEXT'13 (Paasch et al.): what Multipath TCP gains over the better of two paths,
-- on points that fill the space of rates, delays, queues and losses evenly.
scenario("Aggregation benefit over a space of pairs of paths (CoNEXT'13)")
local point = param("point", 1, "", "which pair of paths, from 1")
local high = param("high", false, "", "high bandwidth-delay products: delays and queues are large")
local lossy = param("lossy", false, "", "both paths lose packets")
local window = param("window", 16384, "KB", "the largest buffers; they grow up to that")
local cc = param("cc", "olia", "", "congestion control over both paths")
local alone = param("alone", "cubic", "", "congestion control of TCP on one path")
local scheduler = param("scheduler", "default", "", "of both ends")
local length = param("length", 60, "s", "of each transfer")
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
local x = fill(point, 8)
local specs = {spec(x, 1), spec(x, 5)}

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
        path(c, s, specs[i], {rate = specs[i].rate, delay = specs[i].delay,
                              loss = specs[i].loss, queue = specs[i].queue})
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
