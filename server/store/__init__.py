"""PostgreSQL: one class for each aggregate, the SQL in `queries/`, the schema in `migrations/`.

Only this folder imports psycopg2, and only it knows that there is SQL.
"""
