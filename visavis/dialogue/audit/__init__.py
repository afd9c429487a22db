"""The question audit (``enable_question_audit`` of a robot): which questions are not answered.

A word list of the operator's, then a model of the operator's; what either refuses reaches no dialogue engine. See docs/knowledge.md.
"""
