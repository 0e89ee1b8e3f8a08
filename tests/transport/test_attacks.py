"""The table of attacks: what somebody may try, and the test that shows what comes of it. Each test
fails when the defence that it is about is taken away.

test_attack_identity.py: who is who
    no certificate                           without_a_certificate_nobody_comes_in
    a certificate of another authority       a_certificate_of_another_authority_is_worth_nothing
    an expired certificate                   an_expired_certificate_is_worth_nothing
    one that ends while it is used           a_certificate_ends_also_where_tls_does_not_look
    a revoked host                           a_revoked_host_is_cut_off_and_stays_out
    a revoked host that does not listen      a_revoked_host_that_does_not_listen_is_cut_off_too
    a removed host                           a_removed_host_stays_out
    a host's certificate with another key    a_certificate_for_another_key_than_the_hosts_is_refused
    a host that poses as the manager         a_host_cannot_pose_as_the_manager
    a host that speaks for another           a_host_cannot_speak_for_another
    a host that takes another's name         a_host_cannot_take_the_name_of_another
    a host that is called as another's id    a_host_cannot_be_called_by_the_id_of_another
    a host that changes its name for ever    a_host_that_is_always_called_otherwise_is_slowed_down
    a renamed host                           a_renamed_host_gets_nothing_until_approved_anew
    what an operator has said of a host      name_and_labels_of_operators_cannot_be_talked_away
    an enrolled host without TLS             an_enrolled_host_cannot_be_had_without_tls
    a result of another host's command       the_result_of_another_hosts_command_is_not_taken
    a second, different result               a_second_different_result_is_ignored_and_counted
    different results without end            different_results_without_end_are_a_violation

test_attack_enrollment.py: the way in
    a used token                             a_used_token_is_of_no_use
    an expired token                         an_expired_token_is_of_no_use
    a guessed token                          a_guessed_token_is_of_no_use_and_guessing_is_slow
    a token, and a name that is known        whoever_has_a_token_cannot_become_a_host_that_is_known
    a copy of a host, with a token           a_copy_of_a_host_that_is_connected_cannot_rename_it
    labels that a token forbids              labels_of_a_token_cannot_be_talked_away
    a request for somebody else's key        a_request_that_its_key_has_not_signed_is_refused
    a request in an odd encoding             a_request_in_an_odd_encoding_is_no_defect
    a host that enrols all the time          a_host_that_enrols_again_and_again_is_slowed_down
    one token, and a crowd                   a_crowd_that_one_token_lets_in_is_bounded
    an agent of another protocol             an_agent_of_another_protocol_is_told_so

test_attack_doors.py: what each port serves
    calls without identity, command port     nothing_answers_on_the_command_port_to_a_stranger
    an operator's calls by a host            a_host_finds_its_own_service_alone_on_the_command_port
    other calls, enrolment port              the_enrolment_port_serves_enrolment_alone
    TLS before 1.2                           old_versions_of_tls_are_refused
    what openssl s_client sees               openssl_sees_what_the_ports_demand

test_attack_text.py: what a host says of itself
    paths, escapes, markup, SQL in names     a_name_that_is_none_is_refused_on_both_ports
    the same in labels; 10,000 labels        labels_that_are_none_are_refused_on_both_ports
    names that are paths elsewhere           a_name_that_is_a_path_elsewhere_leads_nowhere
    SQL in every text field                  sql_in_every_text_field_stays_text
    endless texts                            what_a_host_says_of_its_system_is_kept_short
    all of this in facts; 10,000 facts       facts_are_text_or_end_the_session

test_attack_load.py: what costs
    a message of 1 GB                        a_message_of_a_gigabyte_costs_no_memory
    a message that swells when unpacked      a_compressed_message_is_not_unpacked
    bytes that are no message                bytes_that_are_no_message_are_a_violation
    a stream that says nothing               a_stream_that_says_nothing_is_ended
    one that stops in a message              a_stream_that_stops_in_a_message_is_ended
    an enrolment that stops in a message     an_enrolment_that_never_comes_whole_is_ended
    TCP that never shakes hands              a_connection_that_never_shakes_hands_is_closed
    a connection without a stream            a_connection_without_a_stream_is_closed
    500 handshakes at once                   500_handshakes_at_once_do_not_stop_a_command
    a host that dials all the time           a_host_that_dials_again_and_again_is_slowed_down_alone
    a host that says too much                whoever_says_too_much_is_cut_off_alone

test_attack_files.py: the files of copies and fetches
    a request for another host's files       the_files_of_another_hosts_copy_are_not_sent
    bytes in the name of another host        what_another_host_was_asked_for_cannot_be_answered
    found files in the name of another       a_host_cannot_say_what_another_has_found

test_copies.py: what an agent asks of the files of its own copies
    bytes outside of them                    bytes_outside_of_the_set_are_a_violation
    requests without end                     too_many_requests_are_a_violation
    reading nothing of what it asked for     an_agent_that_reads_nothing_is_not_ended_for_it

test_fetches.py: what an agent says of the files that are fetched
    bytes that nobody asked for              parts_that_were_not_asked_for_are_a_violation
    other sizes than those of the files      lies_about_the_sizes_are_found

test_ports.py: what gRPC keeps out by itself
    more connections than there is room for  more_connections_than_there_is_room_for_are_closed
    many calls on a connection               a_connection_has_few_calls_at_once
    large headers                            large_headers_are_refused
    a flood of pings                         a_flood_of_pings_ends_the_connection

test_message_guard.py: what a session may say
    a flood of messages                      a_flood_ends_and_what_an_agent_can_say_does_not

test_streams.py: streams
    one that says nothing any more           a_silent_session_is_ended

../agent/executions/test_cgroup_support.py: what commands and users do to the agent of root
    an environment that looks endless        a_large_environment_is_not_read_into_memory
    another user's process with the mark     the_environment_of_another_user_is_not_read
    a pid that means another process         a_pid_that_means_another_process_is_not_signalled
    forking faster than anybody can look     forking_again_and_again_does_not_outlive_the_kill
    an orphan that has shed its mark         what_a_dead_supervisor_leaves_is_killed
    a state folder in a user's home          a_state_folder_below_another_users_folder_is_refused
    a link in place of the state folder      a_link_that_another_user_has_put_there_is_not_followed
    a forged order in a folder               an_order_that_another_user_forged_is_not_carried_out

../agent/executions/test_run_as_user.py: what a command of another user has of the agent
    the agent's journal, and its memory      it_cannot_reach_what_the_agent_keeps
    its place with the OOM killer, limits    it_is_an_ordinary_process
    its keyring                              it_has_no_keyring_of_the_agents

../agent/supervisor/test_limits.py: a command that takes all of a host
    memory                                   a_command_that_needs_too_much_memory_is_killed
    processes                                a_command_cannot_start_more_processes
    CPU time                                 a_command_that_is_limited_gets_less_cpu_time

../agent/identity/test_token_file.py: the token in a file
    a file that others read or write         a_file_that_others_can_read_or_write_is_refused
    a file that stays                        the_file_is_removed_once_the_host_has_enrolled

../agent/policy/test_policy.py: around the rules of a policy
    a second line in a negated class         a_regex_lets_in_only_control_characters_it_names

../agent/policy/test_policy_file.py: around the file of a policy
    a link in the middle of its path         the_folder_of_a_link_in_the_middle_counts_as_well

../agent/policy/test_pattern.py: words that a pattern does not mean
    a word that begins with + or @           what_a_pattern_does_not_allow

../service/dispatch/test_secrets.py: what is left of a secret
    the log of the database                  a_secret_is_erased_when_the_task_ends

../unit/test_state_dir.py: the manager's folder
    a folder that another user can swap      one_in_a_folder_of_another_user_is_refused_and_not_made

../service/dispatch/test_agent_features.py: what an old agent would leave out
    a limit that nobody would set            an_agent_without_the_feature_is_sent_nothing

What is done to the agent, by a false manager or a false enrolment server, is in tests/agent; what
output can do to a terminal in tests/unit/text/test_safe_text.py.
"""

import ast
import re
from pathlib import Path

FOLDER = Path(__file__).parent
_ROW = re.compile(r" {4}(\S.*?) {2,}(\w+)|((?:\.\./[\w/]+/)?test_\w+\.py): .*")


def _table() -> dict[str, set[str]]:
    """The tests that the table names, by file."""
    found: dict[str, set[str]] = {}
    for line in (__doc__ or "").splitlines():
        if row := _ROW.fullmatch(line):
            if row[3]:
                named = found.setdefault(row[3], set())
            else:
                named.add(f"test_{row[2]}")
    return found


def _tests(file: str) -> set[str]:
    tree = ast.parse((FOLDER / file).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        node.name
        for node in tree.body
        if isinstance(node, functions) and node.name.startswith("test_")
    }


def test_every_attack_has_its_test() -> None:
    table = _table()
    assert len(table) == 21
    for file, named in table.items():
        assert named <= _tests(file), file


def test_every_test_of_an_attack_stands_in_the_table() -> None:
    table = _table()
    for path in FOLDER.glob("test_attack_*.py"):
        assert _tests(path.name) <= table[path.name], path.name
