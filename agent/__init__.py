"""The program that runs on a worker host: builds images, runs replicas, follows their logs.

It imports none of the other folders: on a worker there is nothing but this one.
"""
