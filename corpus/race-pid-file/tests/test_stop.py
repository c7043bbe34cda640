import daemon


def test_pid_file_goes_with_the_daemon():
    with daemon.Daemon():
        assert daemon.PID_FILE.exists()
    assert not daemon.PID_FILE.exists()
