"""What is said about a strategy before it runs: findings of the linter, the explanation in sentences."""
