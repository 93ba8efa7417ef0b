-- SPDX-License-Identifier: MIT
-- A short transfer, for sweeps. `fail` makes one of the runs fail.
scenario("a short transfer")
local rate = param("rate", 8, "mbit", "of the only path")
local name = param("name", "x", "", "of nothing")
local fail = param("fail", 0)
plot{name = "time", title = "how long it takes", x = "rate", y = "time", series = "name"}
plot{name = "times", y = "time", cdf = true}

local client, server = host("client"), host("server")
local a, b = client:iface("10.0.1.1"), server:iface("10.0.1.2")
path(a, b, {rate = rate * 1e6, delay = "10ms", loss = "1%"})
expect(rate ~= fail, "it was told to fail")
local s = bulk{from = a, to = b, bytes = "100kB"}
finish()
figure("time", "s", s.server:times().last)
