{{ new_rows(ref('stg_landing__wallet_transfers'), ['transfer_id', 'block_time'], recorded_at='recorded_at') }}
