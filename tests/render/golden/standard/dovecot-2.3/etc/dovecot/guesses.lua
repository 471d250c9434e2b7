-- Written by mailstack; changes made here are undone by the next run.
-- Dovecot asks this last, so what comes here is a wrong login. fail2ban counts the lines. Two digits tell a program
-- that tries the same password again from somebody who guesses; one in 256 passwords has them, so they say little.
-- The answer is always that there is no such user: this lets nobody in.
function auth_password_verify(request, password)
  local sum = 0
  for place = 1, #password do
    sum = (sum * 31 + password:byte(place)) % 65521
  end
  local address = request.remote_ip or request.rip
  dovecot.i_info(string.format("wrong login: user=<%s>, password=%02x, rip=%s", request.user, sum % 256, address))
  return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, ""
end

function auth_passdb_lookup(request)
  return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, ""
end
