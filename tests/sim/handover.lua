-- SPDX-License-Identifier: MIT
-- The scenario of the same name in sim/scenarios_figures.c: packet for packet.
scenario("requests while a path dies (CoNEXT'17)")

local client, server = host("client"), host("server")
local a, s = client:iface("10.0.1.1"), server:iface("10.0.1.2")
local first = path(a, s, "rate=10mbit,delay=7500us")
local b = client:iface("10.0.2.1")
path(b, s, "rate=10mbit,delay=12500us")

local r = requests{from = a, to = s, count = 25, request = 750, response = 750, interval = "400ms"}
at(3, function() first:set_up(false) end)
finish{limit = 60}
figure("longest delay of a response", "ms", percentile(r.client:delays(), 100) * 1000, 750)
