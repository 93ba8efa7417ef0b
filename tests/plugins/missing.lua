-- SPDX-License-Identifier: MIT
-- A scheduler without pick.
return { bound = function(self, view, path, bytes) end }
