-- SPDX-License-Identifier: MIT
-- CoNEXT'17 (De Coninck and Bonaventure): requests while a path dies.
scenario("Requests while a path dies (CoNEXT'17)")
local scheduler = param("scheduler", "default", "", "of both ends")
local dies = param("dies", 3, "s", "when the first path loses everything")
local small = param("rtt", 15, "ms", "of the first path; the second has 10 ms more")
plot{name = "longest", title = "The longest delay at handover", x = "dies", y = "longest",
     series = "scheduler", xlabel = "when the path dies, s", ylabel = "ms"}

local config = scheduler ~= "default" and {scheduler = scheduler} or nil
local client, server = host("client", config), host("server", config)
local a, s = client:iface("10.0.1.1"), server:iface("10.0.1.2")
local first = path(a, s, {rate = 10 * MB, delay = small / 2000})
path(client:iface("10.0.2.1"), s, {rate = 10 * MB, delay = (small + 10) / 2000})

local r = requests{from = a, to = s, count = 25, request = 750, response = 750,
                   interval = "400ms"}
at(dies, function() first:set_up(false) end)
finish{limit = 60}
local delays = r.client:delays()
expect(#delays == 25, "a request had no answer")
figure("longest", "ms", 1000 * percentile(delays, 100))
figure("median", "ms", 1000 * median(delays))
