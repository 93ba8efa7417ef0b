-- SPDX-License-Identifier: MIT
-- NSDI'11 (Wischik et al.): five links in a ring, five flows over two of them each.
scenario("Five flows on a ring of five links, one of which is narrow (NSDI'11)")
local narrow = param("narrow", 100, "pkt/s", "the rate of the third link; the others have 1000")
local cc = param("cc", "lia", "", "congestion control")
local warm = param("warm", 50, "s", "before it is measured")
local length = param("length", 200, "s", "measured")
plot{name = "jain", title = "Fairness between the flows", x = "narrow", y = "jain", series = "cc",
     xlabel = "rate of the narrow link, packets a second", ylabel = "Jain's index"}

local PACKET = 1500
-- As htsim has it: packets one by one, acknowledgments without delay, short timeouts.
local config = {cc = cc, scheduler = "lowest-rtt", announce = false, burst_max_bytes = 0,
                rto_min_us = "10ms", subflows = 1, send_buffer_bytes = "2MB",
                recv_buffer_bytes = "4MB"}
local clients, servers = {}, {}
for i = 1, 5 do
    clients[i] = host("client" .. i, config)
    servers[i] = host("server" .. i, config)
end
local ring = {}
for i = 1, 5 do
    local rate = i == 3 and narrow or 1000
    ring[i] = link{rate = rate * PACKET * 8, delay = "50ms", queue = "53pkt", random = 3}
end
local flows = {}
for i = 1, 5 do
    local s = servers[i]:iface("10.1." .. i .. ".1")
    local first
    for k = 0, 1 do
        local c = clients[i]:iface("10.0." .. i .. "." .. k + 1)
        first = first or c
        route(c, s, {ring[(i + k - 1) % 5 + 1]})
        route(s, c, {link("")})
    end
    local _, _, reader = bulk{from = first, to = s, start = random() * 0.05,
                              stop = warm + length + 1}
    flows[i] = goodput(reader, warm, warm + length)
end
local dropped = {}
for i = 1, 5 do
    dropped[i] = between(warm, warm + length, function() return ring[i]:stats().dropped_queue end)
end
advance(warm + length)
local rates = {}
for i = 1, 5 do
    rates[i] = flows[i]() * 1e6 / 8 / 1428
    figure("flow " .. i, "pkt/s", rates[i])
end
figure("jain", "", jain(rates))
figure("dropped at the narrow link", "", dropped[3]())
figure("dropped at the first link", "", dropped[1]())
