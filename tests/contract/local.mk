# SPDX-License-Identifier: Apache-2.0
# The API's contract: the document, the routes, and what was answered.
contract_tests = \
	%D%/routes_match_openapi.py \
	%D%/responses_validate.py
FAST_TESTS += $(contract_tests)
dist_noinst_DATA += %D%/contract.py
dist_check_SCRIPTS += $(contract_tests) %D%/recorded_answers.py
TESTS += $(contract_tests) %D%/recorded_answers.py

# It reads what the other tests of the same run have recorded.
%D%/recorded_answers.log: $(filter-out %D%/recorded_answers.log,$(TEST_LOGS))
CLEANFILES += tests/record/*.jsonl
