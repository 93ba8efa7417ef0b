-- SPDX-License-Identifier: MIT
-- NSDI'11 (Wischik et al.): two links, bursts of constant rate on one of them.
scenario("Two links, one of them with bursts of other traffic (NSDI'11)")
local cc = param("cc", "lia", "", "congestion control")
local on = param("on", 0.010, "s", "how long a burst lasts on average")
local off = param("off", 0.100, "s", "how long there is none on average")
local length = param("length", 60, "s", "measured, after 5")

local PACKET = 1500
local config = {cc = cc, scheduler = "lowest-rtt", announce = false, burst_max_bytes = 0,
                rto_min_us = "10ms", subflows = 1, send_buffer_bytes = "2MB",
                recv_buffer_bytes = "4MB"}
local client, server = host("client", config), host("server", config)
local s = server:iface("10.1.0.1")
local links, ifaces = {}, {}
for i = 1, 2 do
    links[i] = link{rate = 8000 * PACKET * 8, delay = "1ms", queue = "33pkt", random = 3}
    ifaces[i] = client:iface("10.0." .. i .. ".1")
    route(ifaces[i], s, {links[i]})
    route(s, ifaces[i], {link("")})
end
local _, _, reader = bulk{from = ifaces[1], to = s, start = random() * 0.05, stop = length + 6}
local cbr = on_off{links = {links[1]}, rate = 9000 * PACKET * 8, on = on, off = off,
                   random = true, stop = length + 6}
local got = {} -- of the payload; beside 1428 bytes of it there are 72 of headers
for i = 1, 2 do
    got[i] = between(5, 5 + length, function() return reader:subflows()[i].bytes_received end)
end
local lost = between(5, 5 + length, function() return links[1]:stats().dropped_queue end)
advance(5 + length)
figure("link 1", "Mbit/s", got[1]() * 1500 / 1428 * 8 / length / 1e6)
figure("link 2", "Mbit/s", got[2]() * 1500 / 1428 * 8 / length / 1e6)
figure("dropped at link 1", "", lost())
