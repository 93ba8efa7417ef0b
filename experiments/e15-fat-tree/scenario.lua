-- SPDX-License-Identifier: MIT
-- SIGCOMM'11 (Raiciu et al.): a fat tree whose hosts all send to one other, over one
-- path or several, drawn at random.
scenario("A fat tree, all hosts sending: one path against several (SIGCOMM'11)")
local k = param("k", 4, "", "ports of a switch: k^3/4 hosts")
local subflows = param("subflows", 8, "", "of each connection; 1: TCP")
local cc = param("cc", "lia", "", "congestion control")
local scheduler = param("scheduler", "lowest-rtt", "", "of all hosts")
local rto = param("rto", 10, "ms", "shortest retransmission timeout")
local settle = param("settle", 2, "s", "before it is measured")
local measure = param("measure", 3, "s", "measured")
plot{name = "share", title = "A fat tree: part of what all links could carry", x = "subflows",
     y = "share", series = "cc", xlabel = "subflows", ylabel = "percent"}

local half, hosts = k // 2, k ^ 3 // 4
local spec = {rate = 100e6, delay = "100us", queue = "102pkt", random = 2}

-- Links of one direction: up and down from hosts to edge switches, from there to
-- aggregation and to core switches, each by what is below.
local function layer()
    local l = {up = {}, down = {}}
    for i = 0, hosts - 1 do
        l.up[i], l.down[i] = link(spec), link(spec)
    end
    return l
end
local edge, agg, core = layer(), layer(), layer()

-- Path p between two hosts goes by aggregation switch p mod k/2 of their pods, and
-- between pods by that one's port p / (k/2).
local function paths(a, b)
    local edges, pods = a // half == b // half, a // (half * half) == b // (half * half)
    return edges and 1 or pods and half or half * half
end
local function links(a, b, p)
    local l, by, port = {edge.up[a]}, p % half, p // half
    if a // half ~= b // half then
        l[#l + 1] = agg.up[a // half * half + by]
        if a // (half * half) ~= b // (half * half) then
            l[#l + 1] = core.up[(a // (half * half) * half + by) * half + port]
            l[#l + 1] = core.down[(b // (half * half) * half + by) * half + port]
        end
        l[#l + 1] = agg.down[b // half * half + by]
    end
    l[#l + 1] = edge.down[b]
    return l
end

local machines = {}
for i = 0, hosts - 1 do
    local h = host("host" .. i, {cc = cc, scheduler = scheduler, tcp = subflows == 1,
                                 subflows = math.max(subflows - 1, 1), announce = false,
                                 burst_max_bytes = 0, rto_min_us = rto * 1000})
    machines[i] = {}
    for s = 0, subflows - 1 do
        machines[i][s] = h:iface("10." .. i .. "." .. s .. ".1")
    end
end

-- Each sends to the next of a random cycle.
local order = {}
for i = 0, hosts - 1 do
    table.insert(order, random(1, #order + 1), i)
end
local read, stop = {}, settle + measure
for i, from in ipairs(order) do
    local to = order[i % #order + 1]
    for s = 0, subflows - 1 do
        local p = random(paths(from, to)) - 1
        route(machines[from][s], machines[to][0], links(from, to, p))
        route(machines[to][0], machines[from][s], links(to, from, p))
    end
    local _, _, reader = bulk{from = machines[from][0], to = machines[to][0],
                              start = random() * 0.05, stop = stop + 0.1}
    read[i] = goodput(reader, settle, stop)
end
advance(stop + 0.05)

local all, shares = subflows == 1 and 96.5 or 95.2, {}
for i, f in ipairs(read) do
    shares[i] = 100 * f() / all
end
figure("share", "%", mean(shares))
figure("slowest", "%", percentile(shares, 0))
figure("fairness", "", jain(shares))
