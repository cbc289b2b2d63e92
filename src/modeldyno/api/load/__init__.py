"""What a load is made of: workloads, targets, questions, what is observed."""
