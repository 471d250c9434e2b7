-- Written by mailstack; changes made here are undone by the next run.
-- Dovecot comes here once somebody is logged in whose hash is of an older scheme. What makes the new hash is
-- another program, and reads name and password from its standard input. The answer is always that there is no
-- such user: this lets nobody in.
function auth_password_verify(request, password)
  local program = io.popen("/etc/dovecot/upgrade-password", "w")
  if program then
    local user = request.user:gsub("'", "''")
    program:write(user, "\n", password, "\n")
    program:close()
  end
  return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, ""
end

function auth_passdb_lookup(request)
  return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, ""
end
