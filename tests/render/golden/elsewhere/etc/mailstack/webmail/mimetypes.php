<?php
// Written by mailstack; changes made here are undone by the next run.
return include '/etc/roundcube/mimetypes.php';
