"""What a run survives, and what is held after each fault.

Days 1 and 2 of the small exchange are closed, the run of day 3 is disturbed, and then run again. After every fault the
published file is whole and is exactly what it was after day 2 or what it has to be after day 3; no log lies beside
it; nobody holds the warehouse; nothing that was published is lost; and the next run gives the content of a run that was
never disturbed (``undisturbed.Undisturbed.require_held`` and ``require_mended``).

=====================================================  ===============================================================
fault                                                  held besides, and where
=====================================================  ===============================================================
kill -9 after each step                                a killed run is named as such, and what it didn't publish was
                                                       never said (``test_kills``)
kill -9 at random statements and moments               the same (``test_kills``; hundreds of them: ``soak``)
kill -9 of the whole job while analysts read           readers are never locked out (``tests/end_to_end/test_the_job``)
kill -9 of the process that asks the suites            the run says so (``tests/pipeline/test_judge``)
kill -9 while a source is pulled                       deliveries count whole or not at all (``tests/connectors``)
disk full, building and publishing                     an error that says so; the record may lack it (``test_disk``)
disk full, in the store of alerts                      no message is lost (``test_disk``)
read-only folder, landing zone, warehouse, file        refused in a line that names the place (``test_disk``)
build file cut, flipped, empty, foreign, of another    set aside and read again, with a line that says so; not if the
version, older than what was published; missing;       landing zone changed meanwhile (``test_damage``)
its log flipped or that of another
a log beside the published file                        never read into it (``test_damage``)
landing file cut or flipped before, between and        refused with 4; taken once it is mended (``test_landing``)
after days
clock a day back, a year ahead, between and in runs    runs stay in order, nothing ends before it began; a message that
                                                       waits goes out (``test_clock``)
two runs at once                                       one works, the other says who does (``test_side_by_side``)
a schedule that fires during a backfill                it waits for its turn (``tests/defs/test_definitions``)
a reader that holds the file for the whole run         reads what it opened, also when that snapshot is dropped
                                                       (``test_side_by_side``)
SIGTERM, SIGINT                                        ends at once, and its end is recorded (``test_signals``)
=====================================================  ===============================================================

What is run is the job's own steps; dbt is replaced by its compiled models and Great Expectations by an answer without
failures, so that a run takes a second or two (``undisturbed``). ``python -m tests.faults.soak`` kills a run a given
number of times at other moments.
"""
