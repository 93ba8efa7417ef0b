-- SPDX-License-Identifier: MIT
-- A scheduler that fails as it is loaded, in line 3.
local limit = settings.limit
return { pick = function(self, view) return 1, limit end }
