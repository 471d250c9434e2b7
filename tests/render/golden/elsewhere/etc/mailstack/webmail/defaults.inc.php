<?php
// Written by mailstack; changes made here are undone by the next run.
include '/etc/roundcube/defaults.inc.php';
