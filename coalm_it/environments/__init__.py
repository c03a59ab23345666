"""Where calls are executed: functions over the databases that a corpus brings, one module a corpus."""
